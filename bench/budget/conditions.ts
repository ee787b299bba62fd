/**
 * The conditions under which all subjects of the budget bench are measured: HelpCrunch's 120 calls,
 * but in a window of 6 s, so that five windows are half a minute.
 */

export const limit = 120
export const windowMs = 6000

/** Every answer of the upstream takes this long, and uniformly up to the jitter longer. */
export const latencyMs = 0
export const jitterMs = 400

/** Calls in flight at once. */
export const concurrency = 64

export const killEveryMs = 3000

export const apiKey = 'bench-key-of-the-simulator'
export const chatCount = 20_000

const pageSize = 100
const sorts = ['createdAt', 'lastCustomerMessageAt', 'lastMessageAt', 'closedAt']

/** A list page per call, in turn: 1,600 different ones, more than are ever under way together. */
export function* targets(): Generator<string, never> {
  for (;;) {
    for (let offset = 0; offset < chatCount; offset += pageSize) {
      for (const sort of sorts) {
        for (const order of ['asc', 'desc']) {
          yield `/chats?sort=chats.${sort}&order=${order}&offset=${offset}&limit=${pageSize}`
        }
      }
    }
  }
}
