// textarea[data-autosize] grows with its text where the browser has no field-sizing.
const MOST_ROWS = 16;

if (!CSS.supports('field-sizing', 'content')) {
  const fit = (area) => {
    area.rows = Math.min(MOST_ROWS, Math.max(Number(area.dataset.rows), area.value.split('\n').length));
  };
  const start = (root) => root.querySelectorAll?.('textarea[data-autosize]').forEach((area) => {
    area.dataset.rows ??= area.rows;
    fit(area);
  });
  start(document);
  document.addEventListener('htmx:load', (event) => start(event.detail.elt));
  document.addEventListener('input', (event) => event.target.matches('textarea[data-autosize]') && fit(event.target));
}
