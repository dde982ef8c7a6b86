// details[data-menu] closes by Esc, by a click elsewhere, and when another opens; ↑ and ↓ walk over its items.
const openMenus = () => document.querySelectorAll('details[data-menu][open]');
const items = (menu) => [...menu.querySelectorAll('.menu__pop :is(a, button):not([disabled])')];

document.addEventListener('click', (event) => {
  openMenus().forEach((menu) => {
    const inside = menu.contains(event.target);
    if (!inside || event.target.closest('.menu__pop a, [data-menu-close]')) menu.open = false;
  });
});

document.addEventListener('keydown', (event) => {
  const menu = event.target.closest?.('details[data-menu]') ?? openMenus()[0];
  if (!menu?.open) return;
  if (event.key === 'Escape') {
    menu.open = false;
    menu.querySelector('summary').focus();
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    const all = items(menu);
    const step = event.key === 'ArrowDown' ? 1 : -1;
    const place = all.indexOf(document.activeElement);
    all[place < 0 && step < 0 ? all.length - 1 : (place + step + all.length) % all.length]?.focus();
    event.preventDefault();
  }
});
