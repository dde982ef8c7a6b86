// Keys inside a <pill-box>: ← and → walk over texts and chips, Backspace first selects a chip, then deletes it.
export function walk(box, event) {
  const { target, key } = event;
  const place = box.parts.indexOf(target);
  if (place < 0) return;
  const atStart = target.selectionStart === 0 && target.selectionEnd === 0;
  const atEnd = target.selectionStart === target.value?.length;
  const isChip = target.matches('.pill');
  if (isChip && (key === 'Backspace' || key === 'Delete')) remove(box, target);
  else if (key === 'ArrowLeft' && (isChip || atStart)) go(box.parts[place - 1], true);
  else if (key === 'ArrowRight' && (isChip || atEnd)) go(box.parts[place + 1], false);
  else if (key === 'Backspace' && atStart) go(box.parts[place - 1], true);
  else return;
  event.preventDefault();
}

function go(part, toEnd) {
  part?.focus();
  const caret = toEnd ? part?.value?.length : 0;
  if (part?.matches('input')) part.setSelectionRange(caret, caret);
}

// The texts on both sides of a removed chip become one.
function remove(box, chip) {
  const [left, right] = [chip.previousElementSibling, chip.nextElementSibling];
  const caret = left.value.length;
  left.value += right.value;
  right.remove();
  chip.remove();
  left.focus();
  left.setSelectionRange(caret, caret);
  box.sync();
}
