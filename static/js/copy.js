// [data-copy="text"] copies the text; [data-copy-from="#id"] copies what that element shows.
// The <span> inside the button says data-copied for a moment.
const SHOWN_MS = 1600;

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy], [data-copy-from]');
  if (!button) return;
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  await write(source ? source.value ?? source.textContent : button.dataset.copy, button);
  button.dispatchEvent(new CustomEvent('copied', { bubbles: true }));
  const label = button.querySelector('span');
  if (!label || !button.dataset.copied || button.dataset.was) return;
  button.dataset.was = label.textContent;
  label.textContent = button.dataset.copied;
  setTimeout(() => {
    label.textContent = button.dataset.was;
    delete button.dataset.was;
  }, SHOWN_MS);
});

async function write(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http: the clipboard interface is missing, so the selection is copied.
    const area = Object.assign(document.createElement('textarea'), { value: text, readOnly: true, className: 'visually-hidden' });
    near.after(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    near.focus();
  }
}
