/**
 * The connection to `/events`, for as long as the page is open: it comes back after whatever ended
 * it, and says when what is shown is no longer live. The browser's own reconnecting is not enough:
 * it gives up at an answer like 403 (too many pages) or 404 (somebody else on the port), and it does
 * not notice a connection that died without a word (a laptop that slept).
 */

/** Snapshots come every second; so long without one is not live. */
const lateMs = 3500
/** And so long is not worth waiting for on this connection. */
const deadMs = 10_000
const retryMs = 2000

/**
 * @param {{
 *   onOpen: () => void,
 *   onHistory: (history: any) => void,
 *   onStatus: (status: unknown) => void,
 *   onLive: (isLive: boolean, heardAt: number | undefined) => void
 * }} listeners
 */
export function connect({ onHistory, onLive, onOpen, onStatus }) {
  /** @type {EventSource} */
  let source
  let openedAt = 0
  /** @type {number | undefined} Unix milliseconds */
  let heardAt

  const open = () => {
    openedAt = Date.now()
    // Not relative: an address with a user in it cannot be fetched from.
    source = new EventSource(new URL('/events', location.origin))
    source.addEventListener('open', onOpen)
    source.addEventListener('history', ({ data }) => onHistory(JSON.parse(data)))
    source.addEventListener('status', ({ data }) => {
      heardAt = Date.now()
      onStatus(JSON.parse(data))
      onLive(true, heardAt)
    })
  }
  const look = () => {
    const now = Date.now()
    const isLive = heardAt !== undefined && now - heardAt < lateMs
    if (!isLive) onLive(false, heardAt)
    const quietMs = now - Math.max(heardAt ?? 0, openedAt)
    const patienceMs = source.readyState === EventSource.CLOSED ? retryMs : deadMs
    if (isLive || quietMs < patienceMs) return
    source.close()
    open()
  }
  open()
  setInterval(look, 500)
}
