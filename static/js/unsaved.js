// A field whose saving failed is marked [data-unsaved] until it is saved.
const fieldOf = (event) => event.target.closest?.('.field');

for (const failure of ['htmx:sendError', 'htmx:timeout', 'htmx:responseError']) {
  document.addEventListener(failure, (event) => fieldOf(event)?.setAttribute('data-unsaved', ''));
}
document.addEventListener('htmx:afterRequest', (event) => {
  if (event.detail.successful) fieldOf(event)?.removeAttribute('data-unsaved');
});
