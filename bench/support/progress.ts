/**
 * How far a run is: a bar that redraws itself on a terminal, a line a step elsewhere. Writes to
 * stderr, so that the verdict on stdout can be kept.
 */
const WIDTH = 24;
const REDRAW_MS = 200;

export interface Progress {
  /** `done` of `total`, in any unit. */
  step(done: number, total: number, text: string): void;
  end(): void;
}

/** `live`: what is looked up at each redraw, such as counts. */
export function startProgress(stream: NodeJS.WriteStream, live: () => string): Progress {
  let share = 0;
  let text = "";
  if (!stream.isTTY) {
    return {
      step(done, total, next) {
        stream.write(`[${String(Math.round((100 * done) / total)).padStart(3)} %] ${next}\n`);
      },
      end: () => undefined,
    };
  }
  const draw = () => {
    const full = Math.round(share * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    const line = `${bar} ${String(Math.round(share * 100)).padStart(3)} %  ${text}  ${live()}`;
    stream.write(`\r\x1b[K${line.slice(0, (stream.columns || 80) - 1)}`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  return {
    step(done, total, next) {
      share = Math.min(1, done / total);
      text = next;
      draw();
    },
    end() {
      clearInterval(timer);
      stream.write("\r\x1b[K");
    },
  };
}
