// Where commands are had and answered for: the paths of a server below /v1/commands/.

/** How a server refuses. */
export class Problem extends Error {
  constructor(readonly status: number, detail: string) {
    super(`HTTP ${status}: ${detail}`);
  }
}

export class Door {
  constructor(private readonly url: string) {}

  /** Asks once. Throws Problem, or what fetch throws. */
  async post(path: string, asked: object, signal?: AbortSignal): Promise<unknown> {
    const late = AbortSignal.timeout(40_000);
    const response = await fetch(`${this.url}/v1/commands/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    const text = await response.text();
    if (!response.ok) throw new Problem(response.status, text.slice(0, 300));
    return JSON.parse(text);
  }

  /** Says something until it is stored or refused, for at most so many milliseconds: said twice, it counts once. */
  async insist(path: string, said: object, within: number): Promise<void> {
    const end = Date.now() + within;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.post(path, said, AbortSignal.timeout(Math.max(1, end - Date.now())));
        return;
      } catch (error) {
        const refused = error instanceof Problem && error.status < 500 && error.status !== 429;
        if (refused || Date.now() >= end) throw error;
        await sleep(pause(attempt));
      }
    }
  }
}

/** Milliseconds: a random time that may be longer after each attempt. */
export function pause(attempt: number): number {
  return Math.random() * Math.min(200 * 2 ** attempt, 5_000);
}

/** Ends early when the signal comes. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, milliseconds);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end);
  });
}
