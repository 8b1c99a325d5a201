/** Numbers and times as the operate page writes them. */

/** 12,600,000 as "12.6M". */
export function compactCount(count: number): string {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(count);
}

/** A metric to three significant digits: 0.1234 as "0.123", 0.00001234 as "1.23e-5". */
export function metricValue(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** An ISO date as the reader's local short date and time. */
export function shortTime(iso: string): string {
  const format = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } as const;
  return new Intl.DateTimeFormat(undefined, format).format(new Date(iso));
}

/** A share of 0..1: 0.125 as "12.5%". */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`;
}

/** A difference, with its sign: 0.0512 as "+0.051", -0.2 as "−0.200". */
export function signed(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(3)}`;
}
