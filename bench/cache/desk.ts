/**
 * What happens at the support desk, from one seed and whoever asks: messages, other changes, chats
 * opened and closed. Time only moves forward; everything up to a moment has happened before
 * anything is asked about it.
 */

import type { Random } from '../../simulator/random.ts'
import {
  chatCount,
  conversationShare,
  conversations,
  customerShare,
  gapsMs,
  olderConversations,
  openChats
} from './conditions.ts'
import { UpstreamLists } from './upstream-lists.ts'
import { gap, pickWeighted } from './workload.ts'

/** In the words of HelpCrunch's webhooks. */
export interface DeskEvent {
  readonly at: number
  readonly event: string
  readonly chat: number
}

const kinds = ['message', 'status', 'opened', 'closed'] as const
const ratesPerMs = kinds.map(kind => 1 / gapsMs[kind])
const eventsPerMs = ratesPerMs.reduce((sum, rate) => sum + rate)

export class Desk {
  readonly lists = new UpstreamLists(chatCount, openChats)
  readonly #random: Random
  readonly #tell: (event: DeskEvent) => void
  #nextAt: number

  constructor(random: Random, start: number, tell: (event: DeskEvent) => void = () => {}) {
    this.#random = random
    this.#tell = tell
    this.#nextAt = start + gap(random, eventsPerMs)
  }

  /** The lists as they are at `now`. */
  at(now: number): UpstreamLists {
    while (this.#nextAt <= now) {
      this.#tell({ at: this.#nextAt, ...this.#happen(this.#nextAt) })
      this.#nextAt += gap(this.#random, eventsPerMs)
    }
    return this.lists
  }

  #happen(at: number): { event: string; chat: number } {
    const chat = this.#someChat()
    switch (kinds[pickWeighted(this.#random, ratesPerMs)]!) {
      case 'message': {
        const fromCustomer = this.#random.chance(customerShare)
        this.lists.message(chat, at, fromCustomer)
        return { event: `message.chat.${fromCustomer ? 'customer' : 'agent'}`, chat }
      }
      case 'status':
        this.lists.change(chat, at)
        return { event: 'chat.status_updated', chat }
      case 'opened':
        return { event: 'chat.new', chat: this.lists.open(at) }
      case 'closed': {
        const open = this.#someOpenChat()
        this.lists.close(open, at)
        return { event: 'chat.closed', chat: open }
      }
    }
  }

  #someChat(): number {
    const among = this.#random.chance(conversationShare) ? conversations : olderConversations
    return this.lists.latest(this.#random.below(among))
  }

  /** One of the latest conversations that is still open; more are opened than closed. */
  #someOpenChat(): number {
    let place = this.#random.below(conversations)
    while (!this.lists.isOpen(this.lists.latest(place))) place++
    return this.lists.latest(place)
  }
}
