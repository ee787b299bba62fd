/**
 * The documented refusals in both generations' spelling. NEW puts the generic entry first and what
 * went wrong after it; OLD has one entry that names the kind of thing that failed.
 */

export type ErrorShape = 'new' | 'old'

export interface ErrorEntry {
  readonly code: string
  readonly message: string
}

type RefusalStatus = 400 | 401 | 404 | 429

export const blank = 'This value should not be blank.'
export const noChoice = 'The value you selected is not a valid choice.'
export const notNumeric = 'This value should be of type numeric.'

/** Thrown by whoever finds the fault in a request; answered in one place. */
export class Refusal extends Error {
  readonly status: RefusalStatus
  readonly details: readonly ErrorEntry[]

  constructor(status: RefusalStatus, details: readonly ErrorEntry[] = newDetails[status]) {
    super(`refused with ${status}`)
    this.status = status
    this.details = details
  }

  body(shape: ErrorShape): string {
    const errors = shape === 'new' ? [generic, ...this.details] : [oldEntries[this.status]]
    return JSON.stringify({ errors })
  }
}

const generic: ErrorEntry = { code: 'invalid_request', message: 'Invalid request' }

const newDetails: Readonly<Record<RefusalStatus, readonly ErrorEntry[]>> = {
  400: [],
  401: [{ code: 'unauthorized', message: 'Unauthorized' }],
  404: [{ code: 'not_found', message: 'Chat not found' }],
  429: [{ code: 'too_many_requests', message: 'Too many requests' }]
}

const oldEntries: Readonly<Record<RefusalStatus, ErrorEntry>> = {
  400: { code: 'invalid_chat_value', message: 'Invalid chat value' },
  401: { code: 'invalid_token', message: 'Invalid token' },
  404: { code: 'chat_not_found', message: 'Chat not found' },
  429: { code: 'too_many_requests', message: 'You have exceeded your requests limit' }
}
