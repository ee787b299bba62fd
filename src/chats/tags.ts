/** What pages can be made stale by, as short names that events and pages share. */

/** Every search may find any chat. */
export const anySearch = 'search'

/** A list sorted by this; empty for the upstream's own order. */
export const sortTag = (sort: string) => `sort:${sort}`

/** A chat, or something that holds it. */
export const chatTag = (id: string) => `chat:${id}`

/** Something that holds a chat of this customer. */
export const customerTag = (id: string) => `customer:${id}`
