/**
 * A flight that this replica leads for all: says when its call has left and when it stands in line
 * again, and calls it off before it leaves if another one leads by now.
 */

import { Cancellation, eitherOf, type Signal } from '../cancellation.ts'
import type { ServiceError } from '../errors.ts'
import type { Need } from '../ports.ts'
import { again } from './flight-messages.ts'
import type { LeaseRenewals, Led } from './lease-renewals.ts'
import type { HeldLease, Lease, SharedPages } from './shared-pages.ts'

export interface LedFlightOptions {
  readonly pages: SharedPages
  readonly renewals: LeaseRenewals
}

export class LedFlight implements Led {
  readonly need: Need
  readonly #taken = new Cancellation()
  readonly #options: LedFlightOptions
  #lease: HeldLease

  constructor(need: Need, lease: Lease, options: LedFlightOptions) {
    this.#lease = { ...lease, isSent: false }
    this.#options = options
    const signal = eitherOf(need.signal, this.#taken)
    this.need = observed(need, signal, {
      sent: () => this.#hold(true, `sent ${lease.id}`),
      repeated: failure => this.#hold(false, again(lease.id, failure))
    })
    options.renewals.add(this)
  }

  get lease(): HeldLease {
    return this.#lease
  }

  get isTaken(): boolean {
    return this.#taken.aborted
  }

  heard(message: string): void {
    if (message === `taken ${this.#lease.id} ${this.#lease.token}`) this.makeWay()
  }

  end(): void {
    this.#options.renewals.delete(this)
  }

  makeWay(): void {
    if (!this.#lease.isSent) this.#taken.abort(new Error('another flight took over'))
  }

  #hold(isSent: boolean, says: string): void {
    this.#lease = { ...this.#lease, isSent }
    const holding = this.#options.pages.hold([this.#lease], says)
    holding.then(([isOurs]) => isOurs || this.makeWay()).catch(() => {})
  }
}

interface Hooks {
  sent(): void
  repeated(failure: ServiceError): void
}

/** The need itself, seen through: it changes as callers come and go. */
function observed(need: Need, signal: Signal, hooks: Hooks): Need {
  return {
    get team() {
      return need.team
    },
    get teams() {
      return need.teams ?? [need.team]
    },
    get priority() {
      return need.priority
    },
    get deadline() {
      return need.deadline
    },
    get hasFallback() {
      return need.hasFallback ?? false
    },
    signal,
    onSent: () => {
      hooks.sent()
      need.onSent?.()
    },
    onRetry: failure => {
      hooks.repeated(failure)
      need.onRetry?.(failure)
    },
    onQueued: place => need.onQueued?.(place)
  }
}
