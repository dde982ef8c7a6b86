// Native dialogs. [data-dialog-open="#id"] opens one of the page; what htmx puts into #dialog opens it too.
// [data-dialog-close] and a click on the backdrop close; the focus goes back to the opener.
const shared = () => document.querySelector('dialog#dialog');

document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-dialog-open]');
  if (opener) {
    event.preventDefault();
    document.querySelector(opener.dataset.dialogOpen)?.showModal();
    return;
  }
  const dialog = event.target.closest('dialog[open]');
  if (!dialog) return;
  const closer = event.target.closest('[data-dialog-close]');
  if (closer || (event.target === dialog && isOutside(dialog, event))) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener('htmx:afterSwap', (event) => {
  const dialog = shared();
  if (event.detail.target !== dialog || !dialog.childElementCount || dialog.open) return;
  dialog.showModal();
  dialog.addEventListener('close', () => dialog.replaceChildren(), { once: true });
});

// An answer that swaps something else out of a dialog means that its work is done.
document.addEventListener('dialog:close', () => shared()?.close());

function isOutside(dialog, { clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
