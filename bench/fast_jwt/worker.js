// fast-jwt in a process of its own, asked as bench/worker.py is: a JSON object a line, until stdin closes.
//
// usage: node worker.js DIRECTORY cached|uncached     DIRECTORY has fast-jwt in its node_modules

'use strict'

const { createRequire } = require('node:module')
const { join } = require('node:path')
const { createInterface } = require('node:readline')
const { isDeepStrictEqual } = require('node:util')

const [directory, mode] = process.argv.slice(2)
const load = createRequire(join(directory, 'package.json'))
const { createVerifier } = load('fast-jwt')
const version = load('fast-jwt/package.json').version

const SLICE = 8
const CACHE_ENTRIES = 1000
const bound = new Map()

// New string objects, as a server has them: V8 keeps the hash of a string that was looked up before.
function fresh(blobs, count) {
  return Array.from({ length: count }, (_, i) => blobs[i % blobs.length].toString('latin1'))
}

function bind({ corpus: document, policy }) {
  const corpus = JSON.parse(document)
  const key = Buffer.from(corpus.key, 'hex')
  const verify = createVerifier({
    key: corpus.alg === 'HS256' ? key : key.toString(),
    algorithms: [corpus.alg],
    allowedIss: policy.issuer,
    allowedAud: policy.audience,
    ...(mode === 'cached' ? { cache: CACHE_ENTRIES } : {})
  })
  if (mode === 'cached' && corpus.signed.length > CACHE_ENTRIES) throw new Error('more tokens than the cache holds')
  const blobs = corpus.signed.map(([text]) => Buffer.from(text, 'latin1'))
  bound.set(corpus.alg, { verify, blobs })
  const faults = []
  for (const _ of [1, 2]) {
    if (!fresh(blobs, blobs.length).every((text, i) => isDeepStrictEqual(verify(text), corpus.signed[i][1]))) {
      faults.push('wrong claims')
      break
    }
  }
  for (const [name, text] of Object.entries(corpus.twins)) {
    try {
      verify(text)
      faults.push(`accepts ${name}`)
    } catch {
      // what a twin is for
    }
  }
  return { supported: true, faults, version }
}

function slices({ alg, count }) {
  const { verify, blobs } = bound.get(alg)
  const texts = fresh(blobs, count)
  const taken = []
  for (let start = 0; start < count; start += SLICE) {
    const end = Math.min(start + SLICE, count)
    const began = process.hrtime.bigint()
    for (let i = start; i < end; i++) verify(texts[i])
    taken.push(Number(process.hrtime.bigint() - began))
  }
  return { ns: taken }
}

function time(request) {
  const { verify, blobs } = bound.get(request.alg)
  const texts = fresh(blobs, request.count)
  const began = process.hrtime.bigint()
  for (const text of texts) verify(text)
  return { ns: Number(process.hrtime.bigint() - began) / request.count }
}

const answers = { bind, slices, time }
createInterface({ input: process.stdin }).on('line', line => {
  const request = JSON.parse(line)
  process.stdout.write(JSON.stringify(answers[request.op](request)) + '\n')
})
