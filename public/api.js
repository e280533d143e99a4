// The API, as the pages use it.

/** An answer that is not a success: `code` is the API's own, or "network" when none came. */
export class Problem extends Error {
  constructor(code, requestId) {
    super(code);
    this.code = code;
    this.requestId = requestId;
  }
}

/** Call the API with a JSON body; returns the answer's JSON (null for 204) or throws a Problem. */
export async function call(method, path, { body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  let answer = null;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(20_000),
    });
    if (response.status !== 204) answer = await response.json();
  } catch (error) {
    // A body that is no JSON is not the API's: the platform answered in its place.
    throw new Problem(error instanceof SyntaxError ? "internal" : "network");
  }
  if (response.ok) return answer;
  const requestId = typeof answer?.request_id === "string" ? answer.request_id : undefined;
  throw new Problem(typeof answer?.code === "string" ? answer.code : "internal", requestId);
}
