// A switch that posts itself goes back to where it was when the server refuses or cannot be reached.
for (const failure of ['htmx:responseError', 'htmx:sendError', 'htmx:timeout']) {
  document.addEventListener(failure, (event) => {
    const form = event.target.closest?.('[data-switch-form]');
    const input = form?.querySelector('input[role="switch"]');
    if (input) input.checked = !input.checked;
  });
}

// [data-open-all="details.fold"]: a switch that opens and closes all of them.
document.addEventListener('change', (event) => {
  const input = event.target.closest('[data-open-all]');
  if (!input) return;
  document.querySelectorAll(input.dataset.openAll).forEach((each) => { each.open = input.checked; });
});
