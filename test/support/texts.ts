/** Any text at all: control characters, lone surrogates and the rest of Unicode. */

import fc from 'fast-check'

const unit = fc.oneof(fc.nat(0xff), fc.nat(0xffff)).map(code => String.fromCharCode(code))

export const anyText = fc.string({ unit, maxLength: 100 })
