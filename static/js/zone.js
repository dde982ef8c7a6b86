// select[data-guess-zone] starts with the browser's own time zone, where the list has it.
const ALIASES = { 'Etc/UTC': 'UTC', 'Etc/GMT': 'UTC', GMT: 'UTC' };

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
document.querySelectorAll('select[data-guess-zone]').forEach((select) => {
  const known = [...select.options].find((option) => option.value === (ALIASES[zone] ?? zone));
  if (known) known.selected = true;
});
