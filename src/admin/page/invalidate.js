/** The one thing that operators may do: make everything stored stale, after being asked. */

import { byId, say } from './dom.js'
import { clockWords } from './words.js'

export function offerInvalidation() {
  const dialog = /** @type {HTMLDialogElement} */ (byId('confirm'))
  byId('invalidate').addEventListener('click', () => dialog.showModal())
  byId('confirm-no').addEventListener('click', () => dialog.close())
  byId('confirm-yes').addEventListener('click', () => {
    dialog.close()
    void invalidate()
  })
}

async function invalidate() {
  say('invalidated', 'Asking…')
  say('invalidated', await outcome())
}

async function outcome() {
  try {
    // Not relative: an address with a user in it cannot be fetched from.
    const answer = await fetch(new URL('/cache', location.origin), { method: 'DELETE' })
    if (answer.ok) return `All of it was made stale at ${clockWords(Date.now())}.`
    const { detail } = await answer.json()
    return `Refused: ${detail}`
  } catch {
    return 'The service could not be reached; nothing is known to have changed.'
  }
}
