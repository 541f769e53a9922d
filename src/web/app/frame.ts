/** Does `work` at most once a frame, however often it is asked for. */
export function oncePerFrame(work: () => void): { ask(): void; cancel(): void } {
  let frame = 0;
  return {
    ask() {
      if (frame !== 0) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        work();
      });
    },
    cancel() {
      cancelAnimationFrame(frame);
      frame = 0;
    },
  };
}
