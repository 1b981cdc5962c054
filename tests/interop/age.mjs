// Seals, opens, and unpacks vectors with the npm packages in the folder that NODE_MODULES names.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const load = (path) => import(pathToFileURL(join(process.env.NODE_MODULES, path)));
const [command, ...args] = process.argv.slice(2);

async function open(identity, source, target) {
  const { Decrypter } = await load("age-encryption/dist/index.js");
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  writeFileSync(target, await decrypter.decrypt(readFileSync(source)));
}

async function seal(recipient, source, target) {
  const { Encrypter } = await load("age-encryption/dist/index.js");
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  writeFileSync(target, await encrypter.encrypt(readFileSync(source)));
}

async function vectors(folder) {
  const found = await load("cctv-age/index.js");
  for (const [name, data] of Object.entries(found)) writeFileSync(join(folder, name), data);
}

await { open, seal, vectors }[command](...args);
