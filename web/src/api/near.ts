/** The most names that are suggested. */
const most = 3;

/** nearest returns the names that somebody who mistyped one may have meant, the nearest first: none that are merely there. */
export function nearest(name: string, names: readonly string[]): string[] {
  const typed = name.toLowerCase();
  return names
    .map((one) => ({ one, far: distance(typed, one.toLowerCase()) }))
    .filter(({ one, far }) => far <= Math.max(1, Math.floor(Math.min(typed.length, one.length) / 3)))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ one }) => one);
}

/** distance returns how many letters have to be put in, left out or changed to make one text the other. */
function distance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let k = 1; k <= b.length; k++)
      row.push(Math.min(before[k]! + 1, row[k - 1]! + 1, before[k - 1]! + (a[i - 1] === b[k - 1] ? 0 : 1)));
    before = row;
  }
  return before[b.length]!;
}
