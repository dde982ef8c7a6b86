// An answer to the form of a panel that has been left meanwhile is late: it may mend the track, but not the panel
// that stands there now, and it does not know which card is chosen.
// Nothing that happens to an element off the page reaches the document: the form itself listens.
document.addEventListener('htmx:beforeRequest', ({ detail }) => detail.elt.addEventListener('htmx:beforeSwap', trim));

function trim({ detail }) {
  if (detail.requestConfig.elt.isConnected) return;
  const { body } = new DOMParser().parseFromString(detail.serverResponse, 'text/html');
  detail.serverResponse = [...body.children].filter(isOutside).map((part) => part.outerHTML).join('');
}

document.addEventListener('htmx:oobAfterSwap', mark);
document.addEventListener('htmx:afterSettle', mark);

function isOutside(part) {
  const place = part.id && document.getElementById(part.id);
  return place ? !place.closest('#panel') : part.getAttribute('hx-swap-oob') === 'beforeend:#toasts';
}

function mark() {
  const key = document.querySelector('#panel-form [name="panel"]')?.value;
  if (!key) return;
  const chosen = document.querySelector(key === 'trigger' ? '#flow .step--trigger' : `#step-${CSS.escape(key)}`);
  document.querySelectorAll('#flow .step[aria-current]').forEach((card) => card === chosen || card.removeAttribute('aria-current'));
  chosen?.setAttribute('aria-current', 'true');
}
