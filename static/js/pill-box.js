// <pill-box>: a template text as a row of inputs and chips. The named input inside holds the true value;
// without scripts that input is the field.
import { hasStatements, look, split } from './expressions.js';
import { walk } from './pill-walk.js';

const texts = (box) => [...box.querySelectorAll('.pillbox__text')];

class PillBox extends HTMLElement {
  connectedCallback() {
    if (this.raw) return;
    this.raw = this.querySelector('.pillbox__raw');
    this.add = this.querySelector('.pillbox__add');
    this.add.hidden = false;
    this.label = this.raw.id ? document.querySelector(`label[for="${CSS.escape(this.raw.id)}"]`) : null;
    this.addEventListener('keydown', (event) => walk(this, event));
    this.addEventListener('pointerdown', (event) => {
      if (event.target === this) { event.preventDefault(); texts(this).at(-1)?.focus(); }
    });
    this.addEventListener('input', (event) => { if (event.target !== this.raw) this.sync(); });
    this.draw();
  }

  get list() { return document.getElementById(this.dataset.picker); }

  get parts() { return [...this.querySelectorAll('.pillbox__text, .pill')]; }

  // Builds the row anew from the true value: at the start, and when it was changed from outside.
  draw() {
    this.parts.forEach((part) => part.remove());
    const isPlain = hasStatements(this.raw.value);
    this.raw.hidden = !isPlain;
    if (isPlain) return;
    split(this.raw.value).forEach((part) => this.add.before(part.source ? this.chip(part) : this.text(part.text)));
    const first = texts(this)[0];
    first.id = this.raw.id && `${this.raw.id}_text`;
    for (const name of ['aria-describedby', 'aria-invalid', 'placeholder']) {
      if (this.raw.hasAttribute(name)) first.setAttribute(name, this.raw.getAttribute(name));
    }
    if (this.parts.length > 1) first.removeAttribute('placeholder');
    if (this.label && first.id) { this.label.htmlFor = first.id; first.removeAttribute('aria-label'); }
  }

  text(value) {
    const input = document.createElement('input');
    Object.assign(input, { className: 'pillbox__text', value, autocomplete: 'off', spellcheck: false, size: Math.max(1, value.length) });
    input.setAttribute('aria-label', this.dataset.textWord);
    return input;
  }

  chip({ source, expression }) {
    const { number, label, kind, tail, source: from, state } = look(expression, this.list);
    const chip = document.createElement('button');
    Object.assign(chip, { type: 'button', className: `pill k-${kind}${state && ` pill--${state}`}`, title: expression });
    chip.dataset.source = source;
    const words = state === 'broken' ? this.dataset.brokenWord : from ? this.dataset.valueWord : '{label}';
    chip.setAttribute('aria-label', words.replace('{label}', `${number} ${label} ${tail}`.trim()).replace('{source}', from));
    for (const [css, text] of [['pill__n', number], ['pill__label', label], ['pill__fn', tail]]) {
      if (text) chip.append(Object.assign(document.createElement('span'), { className: css, textContent: text }), ' ');
    }
    return chip;
  }

  // Puts an expression where the caret is; `eaten` characters before it (the / or {{ that was typed) go.
  insert(expression, { input = texts(this).at(-1), at = input.value.length, eaten = 0 } = {}) {
    const after = this.text(input.value.slice(at));
    input.value = input.value.slice(0, at - eaten);
    input.after(this.chip({ source: `{{ ${expression} }}`, expression }), after);
    after.focus();
    after.setSelectionRange(0, 0);
    this.sync();
  }

  sync() {
    texts(this).forEach((input) => { input.size = Math.max(1, input.value.length); });
    this.raw.value = this.parts.map((part) => part.dataset.source ?? part.value).join('');
    this.raw.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

customElements.define('pill-box', PillBox);
document.addEventListener('htmx:afterSettle', (event) => {
  // The list came anew: chips may have other numbers, labels and samples.
  const list = event.target.matches?.('[data-insert-list]') ? event.target : event.target.querySelector?.('[data-insert-list]');
  if (list) document.querySelectorAll(`pill-box[data-picker="${CSS.escape(list.id)}"]`).forEach((box) => box.contains(document.activeElement) || box.draw());
});
