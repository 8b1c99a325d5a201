/** One measured figure beside what is asked of it. */

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What is asked; null for a figure that only informs. */
  target: { atMost: number } | { atLeast: number } | null;
  /** How it was measured, in a few words. */
  how: string;
}

export function meets({ value, target }: Figure): boolean {
  if (target === null) return true;
  return "atMost" in target ? value <= target.atMost : value >= target.atLeast;
}

const round = (value: number) => Number(value.toPrecision(3)).toLocaleString("en-US");

export function formatFigure(figure: Figure): string {
  const { name, value, unit, target, how } = figure;
  const asked =
    target === null ? "" : "atMost" in target ? `<= ${round(target.atMost)}` : `>= ${round(target.atLeast)}`;
  const verdict = target === null ? "     " : meets(figure) ? "ok   " : "SHORT";
  return `${verdict} ${name.padEnd(46)} ${round(value).padStart(8)} ${unit.padEnd(9)} ${asked.padEnd(9)} ${how}`;
}
