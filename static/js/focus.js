// After a swap of htmx the focus is never lost: the first invalid field, or the heading of what came.
let before = null;

document.addEventListener('htmx:beforeSwap', () => { before = document.activeElement; });
document.addEventListener('htmx:afterSettle', (event) => {
  const { target, xhr } = event.detail;
  if (xhr?.status === 422) {
    target.querySelector('[aria-invalid="true"]:not([hidden])')?.focus();
  } else if (before && before !== document.body && !before.isConnected && document.activeElement === document.body) {
    const place = target.isConnected ? target : document.querySelector(`#${CSS.escape(target.id)}`);
    (place?.querySelector('[autofocus], [tabindex="-1"]:is(h1, h2, h3)') ?? place)?.focus({ preventScroll: true });
  }
  before = null;
});
