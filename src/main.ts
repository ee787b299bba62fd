/**
 * The doorstep: how V8 is to load the code, and then the code. Has no other imports, because what
 * is imported beside it would be loaded before it can say so.
 */

import { saveWhileLoading } from './observe/memory.ts'

const loaded = saveWhileLoading()
await import('./gate.ts')
loaded()
