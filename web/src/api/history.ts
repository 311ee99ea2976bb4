import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Api } from "./client.js";
import { seriesOf, type Series } from "./series.js";

/** Past is the history of one series, in columns of equal length; times in seconds since the epoch. */
export interface Past {
  series: Series;
  times: number[];
  averages: number[];
  minima: number[];
  maxima: number[];
}

/** History is the answer to a question for history. */
export interface History {
  /** How many seconds one point stands for. */
  step: number;
  all: Past[];
}

/** How long an answer may take, in milliseconds. */
const patience = 30_000;

/** historyOf asks for what a selector chooses, from and to in seconds since the epoch. */
export async function historyOf(
  { query }: Api,
  request: { selector: string; from: number; to: number; points: number },
  signal: AbortSignal,
): Promise<History> {
  const answer = await query.queryRange(
    {
      selector: request.selector,
      start: timestampFromMs(Math.round(request.from * 1000)),
      end: timestampFromMs(Math.round(request.to * 1000)),
      maxPoints: request.points,
    },
    { signal, timeoutMs: patience },
  );
  const step = Number(answer.step?.seconds ?? 0n) + (answer.step?.nanos ?? 0) / 1e9;
  const all = answer.series.map(({ series, times, averages, minima, maxima }) => ({
    series: seriesOf(series),
    times,
    averages,
    minima,
    maxima,
  }));
  return { step, all };
}
