/** A ring keeps the order of a list in which whatever becomes the latest is moved to the end. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Link, Ring } from '../../src/http/ring.ts'
import { holds } from '../support/property.ts'

class Thing extends Link {
  readonly name: number

  constructor(name: number) {
    super()
    this.name = name
  }
}

const step = fc.record({
  what: fc.constantFrom('add', 'makeLatest', 'delete', 'delete again'),
  which: fc.nat()
})

t.test('whatever is added, moved and deleted, the order is that of a list', async t => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const ring = new Ring<Thing>()
    let list: Thing[] = []
    let gone = new Thing(-1)
    for (const [name, { what, which }] of steps.entries()) {
      const one = list[which % list.length]
      if (what === 'add' || !one) {
        const added = new Thing(name)
        ring.add(added)
        list.push(added)
      } else if (what === 'makeLatest') {
        ring.makeLatest(one)
        list = [...list.filter(other => other !== one), one]
      } else {
        const deleted = what === 'delete' ? one : gone
        ring.delete(deleted)
        list = list.filter(other => other !== deleted)
        gone = deleted
      }
      assert.deepEqual(
        Array.from(ring, thing => thing.name),
        list.map(thing => thing.name)
      )
      assert.equal(ring.size, list.length)
      assert(list.every(thing => ring.has(thing)) && !ring.has(gone))
    }
  })
  await holds(t, property)
})

t.test('each may be deleted when it is given', async t => {
  const ring = new Ring<Thing>()
  for (const name of [1, 2, 3]) ring.add(new Thing(name))
  const given: number[] = []
  for (const thing of ring) {
    given.push(thing.name)
    ring.delete(thing)
  }
  t.same([given, ring.size, [...ring]], [[1, 2, 3], 0, []])
})
