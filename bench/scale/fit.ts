/**
 * Fits a count at several numbers of hosts to a + d/H + b·H + c·H². The part d/H saturates: with few
 * hosts some listeners share a host, and some actors are at home. The parts b and c grow with the
 * cluster. Pure.
 */

export interface Point {
  hosts: number;
  value: number;
}

export interface Fit {
  a: number;
  b: number;
  c: number;
  d: number;
  /** The part of the count at the most hosts that b and c explain. */
  growth: number;
  /** How much of it one more host adds, at the most hosts. */
  slope: number;
}

export function fitOf(points: readonly Point[]): Fit {
  const rows = points.map(({ hosts }) => [1, 1 / hosts, hosts, hosts * hosts]);
  const scale = Math.max(...points.map(({ value }) => Math.abs(value)), 1e-12);
  const [a = 0, d = 0, b = 0, c = 0] = leastSquares(
    rows,
    points.map(({ value }) => value / scale),
  ).map((one) => one * scale);
  const hosts = Math.max(...points.map((point) => point.hosts));
  const last = points.find((point) => point.hosts === hosts)?.value ?? 0;
  const grown = b * hosts + c * hosts * hosts;
  return { a, b, c, d, growth: last === 0 ? 0 : grown / Math.abs(last), slope: b + 2 * c * hosts };
}

/** Solves the normal equations; columns are scaled first, since H² is large beside 1/H. */
function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const width = rows[0]?.length ?? 0;
  const sizes = Array.from({ length: width }, (_, n) =>
    Math.max(...rows.map((row) => Math.abs(row[n]!))),
  );
  const matrix = Array.from({ length: width }, (_, i) => [
    ...Array.from({ length: width }, (_, j) =>
      rows.reduce((sum, row) => sum + (row[i]! / sizes[i]!) * (row[j]! / sizes[j]!), 0),
    ),
    rows.reduce((sum, row, n) => sum + (row[i]! / sizes[i]!) * values[n]!, 0),
  ]);
  for (let i = 0; i < width; i++) {
    const pivot = matrix
      .slice(i)
      .reduce(
        (best, row, n) => (Math.abs(row[i]!) > Math.abs(matrix[best]![i]!) ? n + i : best),
        i,
      );
    [matrix[i], matrix[pivot]] = [matrix[pivot]!, matrix[i]!];
    for (let k = 0; k < width; k++) {
      if (k === i) continue;
      const times = matrix[k]![i]! / matrix[i]![i]!;
      for (let j = i; j <= width; j++) matrix[k]![j]! -= times * matrix[i]![j]!;
    }
  }
  return matrix.map((row, i) => row[width]! / row[i]! / sizes[i]!);
}
