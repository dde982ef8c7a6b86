// input[data-filter="#list"] leaves of the list only the [data-filter-item] whose text has every typed word.
// [data-filter-none] inside the list shows when nothing is left, [data-filter-section] hides when it is empty.
document.addEventListener('input', (event) => {
  const input = event.target.closest('[data-filter]');
  const list = input && document.querySelector(input.dataset.filter);
  if (!list) return;
  const words = input.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  list.querySelectorAll('[data-filter-item]').forEach((item) => {
    const text = `${item.textContent} ${item.dataset.filterItem}`.toLocaleLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
    left += item.hidden ? 0 : 1;
  });
  list.querySelectorAll('[data-filter-section]').forEach((section) => {
    section.hidden = !section.querySelector('[data-filter-item]:not([hidden])');
  });
  list.querySelectorAll('[data-filter-none]').forEach((none) => { none.hidden = left > 0; });
});
