// Toasts: those of success go away after 5 s, errors stay until closed; failed requests of htmx show one.
const CLOSE_AFTER_MS = 5000;
const BY_STATUS = { 401: 'refused', 403: 'refused', 409: 'conflict' };
const region = () => document.querySelector('#toasts');

function show(name) {
  const template = document.querySelector(`template[data-toast="${name}"]`);
  if (!template || region().querySelector(`[data-toast-name="${name}"]`)) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.dataset.toastName = name;
  region().append(toast);
}

function watch(toast) {
  if (toast.dataset.toastKind === 'err' || toast.dataset.toastName || toast.dataset.watched) return;
  toast.dataset.watched = '';
  let timer;
  const start = () => { timer = setTimeout(() => toast.remove(), CLOSE_AFTER_MS); };
  // Who reads or reaches for it is not hurried (WCAG 2.2.1).
  for (const pause of ['pointerenter', 'focusin']) toast.addEventListener(pause, () => clearTimeout(timer));
  for (const resume of ['pointerleave', 'focusout']) toast.addEventListener(resume, () => { clearTimeout(timer); start(); });
  start();
}

document.addEventListener('click', (event) => {
  event.target.closest('[data-toast-close]')?.closest('.toast').remove();
});
document.addEventListener('htmx:sendError', () => show('network'));
document.addEventListener('htmx:timeout', () => show('network'));
document.addEventListener('htmx:responseError', (event) => {
  const { status } = event.detail.xhr;
  show(BY_STATUS[status] ?? (status >= 500 ? 'server' : 'failed'));
});

region()?.querySelectorAll('.toast').forEach(watch);
if (region()) {
  new MutationObserver((changes) => {
    changes.forEach((change) => change.addedNodes.forEach((node) => node.matches?.('.toast') && watch(node)));
  }).observe(region(), { childList: true });
}
