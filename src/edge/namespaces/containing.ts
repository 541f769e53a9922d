/**
 * Keeps what an application's handlers throw, or reject with, from ending the worker: it is
 * reported, and everything else goes on. Listeners are wrapped where they are added, because
 * Socket.IO calls them from places of its own.
 */

type Listener = (...args: never[]) => unknown;
type Method = (...args: unknown[]) => unknown;

/** The methods of namespaces and sockets that take a listener last. */
const ADDING = [
  "on",
  "once",
  "addListener",
  "prependListener",
  "prependOnceListener",
  "onAny",
  "prependAny",
  "onAnyOutgoing",
  "prependAnyOutgoing",
];
const REMOVING = ["off", "removeListener", "offAny", "offAnyOutgoing"];

/**
 * Wraps what is added to `target` from now on. `report` never throws. `refuse` is given the last
 * argument of a middleware that has thrown.
 */
export function contain(
  target: object,
  report: (fault: unknown) => void,
  refuse?: (next: unknown) => void,
): void {
  const wrapped = new WeakMap<Listener, Listener>();
  const methods = target as Record<string, Method | undefined>;
  const wrappers = new WeakSet<Listener>();
  /** Node's own `once` adds what it has made of the wrapper by calling `on`. */
  const isContained = (listener: Listener & { listener?: Listener }) =>
    wrappers.has(listener) || (listener.listener !== undefined && wrappers.has(listener.listener));
  const wrapperOf = (listener: Listener): Listener => {
    if (isContained(listener)) return listener;
    const made = wrapped.get(listener) ?? containing(listener, report);
    wrapped.set(listener, made);
    wrappers.add(made);
    return made;
  };
  const middlewareOf = (listener: Listener): Listener =>
    function (this: unknown, ...args: never[]): unknown {
      const reportAndRefuse = (fault: unknown) => {
        report(fault);
        refuse?.(args.at(-1));
      };
      return containing(listener, reportAndRefuse).apply(this, args);
    };
  const replaced = (name: string, replace: (listener: Listener) => Listener) => {
    const method = methods[name];
    if (method === undefined) return;
    methods[name] = function (this: unknown, ...args: unknown[]) {
      const last = args.at(-1);
      if (typeof last === "function") args[args.length - 1] = replace(last as Listener);
      return method.apply(this, args);
    };
  };
  for (const name of ADDING) replaced(name, wrapperOf);
  replaced("use", middlewareOf);
  for (const name of REMOVING) replaced(name, (listener) => wrapped.get(listener) ?? listener);
}

/** Nothing that is added to `target` from now on is wrapped. */
export function release(target: object): void {
  const methods = target as Record<string, Method | undefined>;
  for (const name of [...ADDING, "use", ...REMOVING]) {
    if (Object.hasOwn(methods, name)) delete methods[name];
  }
}

function containing(listener: Listener, report: (fault: unknown) => void): Listener {
  return function (this: unknown, ...args: never[]): unknown {
    try {
      const result = listener.apply(this, args);
      if (isThenable(result)) result.then(undefined, report);
      return result;
    } catch (fault) {
      report(fault);
      return undefined;
    }
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
