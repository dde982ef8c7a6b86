// What opens, drives and closes the list of insert.js: clicks and keys.
import { close, filter, insert, list, open, options, search, select } from './insert.js';

const STEP = { ArrowDown: 1, ArrowUp: -1 };
const fieldOf = (input) => input.closest('pill-box') ?? (input.matches('[data-insert]') ? input : null);
let caret = null; // the last place in a pill-box or a textarea: the {} button inserts there

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-insert-open]');
  if (button) {
    const field = button.closest('pill-box') ?? document.getElementById(button.dataset.insertOpen);
    const known = caret?.input.isConnected && fieldOf(caret.input) === field ? caret : {};
    if (button.getAttribute('aria-expanded') === 'true') close();
    else open(field, known);
    return;
  }
  if (!list()) return;
  const option = event.target.closest('[role="option"]');
  const tab = event.target.closest('[data-insert-tab]');
  if (tab && list().contains(tab)) {
    list().querySelectorAll('[data-insert-tab]').forEach((each) => each.setAttribute('aria-pressed', String(each === tab)));
    filter();
    search().focus();
  } else if (option && list().contains(option)) insert(option);
  else if (!list().contains(event.target) && event.target.isConnected) close({ restore: false });
});

document.addEventListener('focusout', (event) => {
  if (event.target.matches('.pillbox__text, [data-insert]')) caret = { input: event.target, at: event.target.selectionStart };
});

document.addEventListener('input', (event) => {
  if (list() && event.target === search()) { filter(); return; }
  if (!event.isTrusted || !event.target.matches('.pillbox__text, [data-insert]')) return;
  const { value, selectionStart: at } = event.target;
  const typed = value.slice(0, at);
  // A slash opens only where a word would begin: addresses are full of them. In an expression it divides.
  const isSlash = event.data === '/' && /(^|\s)\/$/.test(typed) && !('insertBare' in event.target.dataset);
  const eaten = event.data === '{' && typed.endsWith('{{') ? 2 : isSlash ? 1 : 0;
  if (eaten) open(fieldOf(event.target), { input: event.target, at, eaten });
});

document.addEventListener('keydown', (event) => {
  if (!list()) return;
  if (event.key === 'Escape') {
    event.preventDefault();
    close();
  } else if (event.target !== search()) return;
  else if (STEP[event.key]) {
    event.preventDefault();
    const shown = options();
    const place = shown.findIndex((each) => each.getAttribute('aria-selected') === 'true');
    select(shown[Math.max(0, Math.min(place + STEP[event.key], shown.length - 1))]);
  } else if (event.key === 'Enter') {
    event.preventDefault();
    const chosen = options().find((each) => each.getAttribute('aria-selected') === 'true');
    if (chosen) insert(chosen);
  }
});

// The {} of a textarea is hidden until scripts run; that of a pill-box shows itself.
const ready = (root) => root.querySelectorAll?.('.value-area [data-insert-open]').forEach((button) => { button.hidden = false; });
ready(document);
document.addEventListener('htmx:load', (event) => ready(event.detail.elt));
