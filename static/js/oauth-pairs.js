// Rows of name and value: [data-pairs-add="field"] adds one from the template inside [data-pairs="field"],
// [data-pairs-remove] takes its row away. Fires "pairs" so that the preview follows.
document.addEventListener('click', (event) => {
  const add = event.target.closest('[data-pairs-add]');
  if (add) {
    const pairs = document.querySelector(`[data-pairs="${add.dataset.pairsAdd}"]`);
    const template = pairs?.querySelector('template');
    if (!template) return;
    event.preventDefault();
    event.stopPropagation();
    pairs.querySelector('.pairs__empty')?.remove();
    template.before(template.content.cloneNode(true));
    show(pairs);
    template.previousElementSibling.querySelector('input').focus();
    return;
  }
  const remove = event.target.closest('[data-pairs-remove]');
  if (!remove) return;
  const row = remove.closest('.pairs__row');
  const pairs = row.parentElement;
  const near = row.nextElementSibling?.matches('.pairs__row') ? row.nextElementSibling : row.previousElementSibling;
  row.remove();
  (near?.querySelector('input') ?? document.querySelector(`[data-pairs-add="${pairs.dataset.pairs}"]`))?.focus();
  pairs.dispatchEvent(new CustomEvent('pairs', { bubbles: true }));
}, true);

// Without scripts a row is removed by emptying its name: the button would do nothing.
function show(root) {
  for (const button of root.querySelectorAll('[data-pairs-remove][hidden]')) button.hidden = false;
}

show(document);
document.addEventListener('htmx:load', (event) => show(event.target));
