// [data-reveal]: shows and hides what is typed into the secret field beside it. Hidden until scripts run.
const ready = (root) => root.querySelectorAll?.('[data-reveal][hidden]').forEach((button) => { button.hidden = false; });

ready(document);
document.addEventListener('htmx:load', (event) => ready(event.detail.elt));
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-reveal]');
  if (!button) return;
  const input = button.parentElement.querySelector('input');
  const isShown = input.type === 'password';
  input.type = isShown ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(isShown));
  const use = button.querySelector('use');
  use.setAttribute('href', use.getAttribute('href').replace(/#.*/, isShown ? '#eye-off' : '#eye'));
});
