// The list of values to insert: opened by the {} button, by / or by {{; ↑ ↓ choose, Enter inserts, Esc goes back.
const GAP_PX = 8;
let target = null; // { list, field: pill-box or textarea, input, at, eaten }

const list = () => target?.list;
const options = () => [...list().querySelectorAll('[role="option"]')].filter((each) => each.checkVisibility());
const search = () => list().querySelector('[role="combobox"]');
const opener = (field) => (field.matches('pill-box') ? field : field.parentElement).querySelector('[data-insert-open]');

function open(field, { input, at, eaten = 0 } = {}) {
  const found = document.getElementById(field.dataset.picker ?? field.dataset.insert);
  if (!found) return;
  close({ restore: false });
  target = { list: found, field, input, at, eaten };
  found.hidden = false;
  opener(field)?.setAttribute('aria-expanded', 'true');
  search().value = '';
  filter();
  place(field);
  search().focus();
}

function close({ restore = true } = {}) {
  if (!target) return;
  const { field, input, at } = target;
  list().hidden = true;
  opener(field)?.setAttribute('aria-expanded', 'false');
  target = null;
  const back = input ?? field.querySelector('.pillbox__text') ?? field;
  if (!restore || !back.isConnected) return;
  back.focus();
  back.setSelectionRange?.(at ?? back.value.length, at ?? back.value.length);
}

function insert(option) {
  const { field, input, at, eaten } = target;
  close({ restore: false });
  if (field.matches('pill-box')) { field.insert(option.dataset.expr, input && { input, at, eaten }); return; }
  const end = at ?? field.value.length;
  const { expr } = option.dataset;
  field.setRangeText('insertBare' in field.dataset ? expr : `{{ ${expr} }}`, end - eaten, end, 'end');
  field.focus();
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

function filter() {
  const words = search().value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const tab = list().querySelector('[data-insert-tab][aria-pressed="true"]')?.dataset.insertTab;
  list().querySelectorAll('[data-insert-group]').forEach((group) => {
    let left = 0;
    group.querySelectorAll('[role="option"]').forEach((option) => {
      const text = `${option.textContent} ${option.dataset.expr}`.toLocaleLowerCase();
      option.hidden = !words.every((word) => text.includes(word));
      left += option.hidden ? 0 : 1;
    });
    group.hidden = words.length ? !left : Boolean(tab) && group.dataset.tab !== tab;
  });
  const shown = options();
  list().querySelector('[data-insert-none]').hidden = shown.length > 0;
  select(shown[0]);
}

function select(option) {
  list().querySelectorAll('[aria-selected="true"]').forEach((each) => each.setAttribute('aria-selected', 'false'));
  option?.setAttribute('aria-selected', 'true');
  option?.scrollIntoView({ block: 'nearest' });
  if (option) search().setAttribute('aria-activedescendant', option.id);
  else search().removeAttribute('aria-activedescendant');
}

// Left of the field where there is room (the field stays in sight), else below or above; a phone has a sheet.
function place(field) {
  const { style } = list();
  style.insetInlineStart = style.insetBlockStart = '';
  if (matchMedia('(max-width: 60rem)').matches) return;
  const [box, own] = [field.getBoundingClientRect(), list().getBoundingClientRect()];
  const isBeside = box.left > own.width + 2 * GAP_PX;
  const below = box.bottom + own.height < innerHeight ? box.bottom + GAP_PX : box.top - own.height - GAP_PX;
  const top = isBeside ? box.top - own.height / 4 : below;
  style.insetInlineStart = `${isBeside ? box.left - own.width - GAP_PX : Math.min(box.left, innerWidth - own.width - GAP_PX)}px`;
  style.insetBlockStart = `${Math.max(GAP_PX, Math.min(top, innerHeight - own.height - GAP_PX))}px`;
}

export { close, filter, insert, list, open, options, search, select };
