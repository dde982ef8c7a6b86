// <date-time-field>: an RFC 3339 text given as a wall-clock time and a zone, as a value of a step, or as it is.
// The named input is the true value; the server works out offsets ([data-dtf-out] data-url).
const WAIT_MS = 300;

class DateTimeField extends HTMLElement {
  connectedCallback() {
    if (this.raw) return;
    this.raw = this.querySelector('[data-pane="raw"] input');
    this.data = this.querySelector('[data-dtf-data]');
    this.local = this.querySelector('[data-dtf-local]');
    this.zone = this.querySelector('[data-dtf-zone]');
    this.out = this.querySelector('[data-dtf-out]');
    this.label = this.querySelector('label');
    this.modes = this.querySelector('[data-dtf-modes]');
    this.modes.hidden = false;
    this.modes.addEventListener('click', (event) => {
      const button = event.target.closest('[data-mode]');
      if (button) this.choose(button.dataset.mode);
    });
    this.data.addEventListener('input', (event) => {
      event.stopPropagation();
      if (this.mode === 'data') this.set(this.data.value);
    });
    for (const input of [this.local, this.zone]) input.addEventListener('input', () => this.ask());
    this.out.addEventListener('htmx:afterSwap', () => this.answered());
    this.show(this.dataset.mode);
  }

  choose(mode) {
    if (mode === 'data') {
      this.data.value = this.raw.value;
      this.querySelector('pill-box').draw();
    }
    this.show(mode);
    if (mode === 'clock' && this.local.value) this.ask();
  }

  show(mode) {
    this.mode = mode;
    this.querySelectorAll('[data-pane]').forEach((pane) => { pane.hidden = pane.dataset.pane !== mode; });
    this.modes.querySelectorAll('[data-mode]').forEach((button) => {
      button.setAttribute('aria-pressed', String(button.dataset.mode === mode));
    });
    this.out.hidden = mode !== 'clock' || !this.out.childElementCount;
    this.local.id ||= `${this.raw.id}_local`;
    this.label.htmlFor = { clock: this.local.id, data: `${this.data.id}_text`, raw: this.raw.id }[mode];
  }

  ask() {
    clearTimeout(this.timer);
    if (!this.local.value) { this.out.replaceChildren(); this.out.hidden = true; this.set(''); return; }
    this.timer = setTimeout(() => {
      const values = { local: this.local.value, zone: this.zone.value };
      window.htmx.ajax('GET', this.out.dataset.url, { source: this, target: this.out, swap: 'innerHTML', values });
    }, WAIT_MS);
  }

  answered() {
    const found = this.out.querySelector('[data-value]');
    this.out.hidden = this.mode !== 'clock';
    this.out.closest('.dtf').classList.toggle('dtf--err', !found);
    if (found && this.mode === 'clock') this.set(found.dataset.value);
  }

  set(value) {
    if (this.raw.value === value) return;
    this.raw.value = value;
    this.raw.dispatchEvent(new Event('input', { bubbles: true }));
    this.raw.dispatchEvent(new Event('change', { bubbles: true }));
  }
}

customElements.define('date-time-field', DateTimeField);
