// Applies the chosen theme before the first paint, and lets it be changed without a reload.
(() => {
  const saved = /(?:^|; )theme=(auto|light|dark)/.exec(document.cookie)?.[1];
  if (saved) document.documentElement.dataset.theme = saved;

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-theme-choice]');
    if (!button) return;
    event.preventDefault();
    const theme = button.dataset.themeChoice;
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    document.documentElement.dataset.theme = theme;
    document.querySelectorAll('[data-theme-choice]').forEach((each) => {
      each.setAttribute('aria-pressed', String(each.dataset.themeChoice === theme));
    });
  });
})();
