// Runs speak.py in CPython 3.10 (Pyodide 0.22, WebAssembly): node run.cjs NODE_MODULES REPOSITORY WHEELS
const [modules, repository, wheels] = process.argv.slice(2);
const { readFileSync } = require("fs");
const { join } = require("path");
const { loadPyodide } = require(join(modules, "pyodide"));

(async () => {
  const python = await loadPyodide();
  for (const [place, root] of [["/repository", repository], ["/wheels", wheels]]) {
    python.FS.mkdir(place);
    python.FS.mount(python.FS.filesystems.NODEFS, { root }, place);
  }
  console.log(python.runPython(readFileSync(join(__dirname, "speak.py"), "utf8")));
})();
