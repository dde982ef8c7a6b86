// The OAuth form: the mark of the first section shows that the redirect URL was copied.
document.addEventListener('copied', (event) => {
  const fold = event.target.closest('details.fold');
  if (!fold?.querySelector('#redirect-uri')) return;
  const mark = fold.querySelector('.num-dot');
  mark?.classList.add('num-dot--done');
});
