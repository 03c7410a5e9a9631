// Shows a capture as `tshark -V` does, by a Wireshark that is compiled for WebAssembly.
// Arguments: the capture and the key log. Judges nothing.
const fs = require('fs');
const path = require('path');

const folder = path.dirname(require.resolve('@goodtools/wiregasm/dist/wiregasm.js'));
const load = require(path.join(folder, 'wiregasm.js'));
const [capture, keyLog] = process.argv.slice(2);

function show(tree, depth) {
  for (let at = 0; at < tree.size(); at += 1) {
    const node = tree.get(at);
    console.log(' '.repeat(4 * depth) + node.label);
    show(node.tree, depth + 1);
  }
}

async function main() {
  const quiet = { print: () => {}, printErr: () => {} };
  const wireshark = await (load.default ?? load)({ locateFile: name => path.join(folder, name), ...quiet });
  wireshark.init();
  wireshark.FS.mkdirTree('/given');
  wireshark.FS.writeFile('/given/capture', fs.readFileSync(capture));
  wireshark.FS.writeFile('/given/key-log', fs.readFileSync(keyLog));
  wireshark.setPref('tls', 'keylog_file', '/given/key-log');
  const session = new wireshark.DissectSession('/given/capture');
  const { code, summary } = session.load();
  if (code !== 0) throw new Error(`the capture cannot be read (${code})`);
  for (let frame = 1; frame <= summary.packet_count; frame += 1) show(session.getFrame(frame).tree, 0);
}

main().then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
