// Splits a template text into text and expressions, and says what an expression looks like as a chip.
const INSIDE = `(?:"[^"]*"|'[^']*'|[^"'])+?`;
const PLACEHOLDER = new RegExp(`\\{\\{${INSIDE}\\}\\}|<<\\s*[a-z_]${INSIDE}>>`, 'gs');
const CREATED_KEY = /^s\d+$/;

export const hasStatements = (template) => /\{%|\{#|\n/.test(template);

// "Hi {{ s2.name }}" → [{ text: "Hi " }, { source: "{{ s2.name }}", expression: "s2.name" }, { text: "" }]
export function split(template) {
  const parts = [];
  let end = 0;
  for (const match of template.matchAll(PLACEHOLDER)) {
    parts.push({ text: template.slice(end, match.index) });
    parts.push({ source: match[0], expression: match[0].slice(2, -2).trim() });
    end = match.index + match[0].length;
  }
  parts.push({ text: template.slice(end) });
  return parts;
}

// What a chip shows: { number, label, kind, tail (filters), state: '' | 'nosample' | 'broken' }.
export function look(expression, list) {
  const [, path, tail] = /^([^|]*?)\s*((?:\|.*)?)$/s.exec(expression);
  const root = /^[\w]+/.exec(path)?.[0] ?? '';
  const options = [...(list?.querySelectorAll('[role="option"]') ?? [])];
  const option = options.find((each) => each.dataset.expr === path);
  const group = option?.closest('[data-insert-group]')
    ?? list?.querySelector(`[data-insert-group][data-key="${CSS.escape(root)}"]:not([data-key=""])`);
  const isBroken = Boolean(list) && !group && CREATED_KEY.test(root);
  const hasSample = !option || option.querySelector('.pick__val').textContent !== '';
  return {
    number: group?.dataset.number || (isBroken ? '!' : 'fx'),
    label: option?.querySelector('.pick__label').textContent ?? (group ? path.slice(root.length).replace(/^\./, '') || root : path),
    kind: group?.dataset.kind ?? 'time',
    tail: tail.replace(/^\|\s*/, ''),
    source: group?.querySelector('.picker__ghead span:not(.tile)')?.textContent ?? '',
    state: isBroken ? 'broken' : group?.dataset.key && !hasSample ? 'nosample' : '',
  };
}
