// The track's folds (details.lane__fold, details.loop__fold) stay as the person left them when the track comes anew,
// but what is chosen is never folded away.
const FOLDS = 'details:is(.lane__fold, .loop__fold)';

Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === 'open' && node.matches(FOLDS));

function unfold() {
  let fold = document.querySelector('#flow .step[aria-current="true"]')?.closest(`${FOLDS}:not([open])`);
  while (fold) {
    fold.open = true;
    fold = fold.parentElement.closest(`${FOLDS}:not([open])`);
  }
}

document.addEventListener('htmx:afterSettle', unfold);
