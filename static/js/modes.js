// Views of one thing. [data-modes] with [data-mode] buttons, or a role=tablist with role=tab, inside [data-mode-root]:
// the chosen one shows its [data-mode-pane]; in a tablist ← and → move.
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-modes] [data-mode]');
  if (button) choose(button);
});

document.addEventListener('keydown', (event) => {
  const tab = event.target.closest?.('[role="tablist"] [role="tab"]');
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !step) return;
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  next.focus();
  if (next.dataset.mode) choose(next);
  else next.click();
});

function choose(button) {
  const root = button.closest('[data-mode-root]');
  const state = button.getAttribute('role') === 'tab' ? 'aria-selected' : 'aria-pressed';
  button.closest('[data-modes]').querySelectorAll('[data-mode]').forEach((each) => {
    each.setAttribute(state, String(each === button));
    if (state === 'aria-selected') each.tabIndex = each === button ? 0 : -1;
  });
  root.querySelectorAll('[data-mode-pane]').forEach((pane) => {
    if (pane.closest('[data-mode-root]') === root) pane.hidden = pane.dataset.modePane !== button.dataset.mode;
  });
}
