/**
 * The doorstep: how Node and V8 are to load the code, and then the code. Imports only what says so,
 * because whatever is imported beside it would be loaded before it can.
 */

import { keepCompiled } from './compile-cache.ts'
import { saveWhileLoading } from './observe/memory.ts'

keepCompiled()
const loaded = saveWhileLoading()
const { open } = await import('./gate.ts')
// compile.ts only has it loaded.
if (import.meta.main) await open()
loaded()
