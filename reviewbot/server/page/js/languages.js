/** Which language a file is written in, by its name, and what highlight.js calls it. */

// Names of the files in vendor/highlight.js/languages, and what each needs beside it.
export const NEEDS = {
  bash: [], c: [], clojure: [], cmake: [], cpp: [], csharp: [], css: [], dart: [],
  dockerfile: ["bash"], elixir: [], erlang: [], go: [], graphql: [], groovy: [], haskell: [],
  ini: [], java: [], javascript: ["xml", "css"], json: [], kotlin: [], less: [], lua: [],
  makefile: [], markdown: ["xml"], nginx: [], nix: [], objectivec: [], perl: [],
  php: ["xml"], powershell: [], properties: [], protobuf: [], python: [], r: [], ruby: [],
  rust: [], scala: [], scss: [], sql: [], swift: [], typescript: ["xml", "css"],
  xml: ["css", "javascript"], yaml: [],
};

const BY_EXTENSION = {
  bash: "bash", sh: "bash", zsh: "bash", ksh: "bash", bats: "bash",
  c: "c", h: "c", cc: "cpp", cpp: "cpp", cxx: "cpp", hh: "cpp", hpp: "cpp", hxx: "cpp", ino: "cpp", cu: "cpp",
  clj: "clojure", cljs: "clojure", cljc: "clojure", edn: "clojure",
  cmake: "cmake", cs: "csharp", css: "css", dart: "dart", dockerfile: "dockerfile",
  ex: "elixir", exs: "elixir", erl: "erlang", hrl: "erlang", go: "go",
  graphql: "graphql", gql: "graphql", groovy: "groovy", gradle: "groovy", hs: "haskell",
  ini: "ini", toml: "ini", cfg: "ini", conf: "ini", editorconfig: "ini", env: "properties",
  java: "java", js: "javascript", mjs: "javascript", cjs: "javascript", jsx: "javascript",
  json: "json", jsonc: "json", json5: "json", webmanifest: "json", kt: "kotlin", kts: "kotlin", less: "less", lua: "lua",
  mk: "makefile", md: "markdown", markdown: "markdown", nginx: "nginx", nix: "nix",
  m: "objectivec", mm: "objectivec", pl: "perl", pm: "perl", php: "php",
  ps1: "powershell", psm1: "powershell", properties: "properties", proto: "protobuf",
  py: "python", pyi: "python", pyw: "python", r: "r",
  rb: "ruby", rake: "ruby", gemspec: "ruby", rs: "rust", scala: "scala", sbt: "scala", sc: "scala",
  scss: "scss", sass: "scss", sql: "sql", swift: "swift",
  ts: "typescript", mts: "typescript", cts: "typescript", tsx: "typescript",
  html: "xml", htm: "xml", xml: "xml", svg: "xml", xhtml: "xml", xsl: "xml", vue: "xml", svelte: "xml", plist: "xml",
  yaml: "yaml", yml: "yaml",
};

const BY_NAME = {
  dockerfile: "dockerfile", containerfile: "dockerfile", makefile: "makefile", gnumakefile: "makefile",
  "cmakelists.txt": "cmake", gemfile: "ruby", rakefile: "ruby", jenkinsfile: "groovy",
  ".bashrc": "bash", ".zshrc": "bash", ".profile": "bash", ".gitconfig": "ini", ".env": "properties",
  "poetry.lock": "ini", "cargo.lock": "ini", "uv.lock": "ini",
};

const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : null);

export function languageOf(path) {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const known = own(BY_NAME, name);
  if (known) return known;
  const dot = name.lastIndexOf(".");
  return dot >= 0 && dot < name.length - 1 ? own(BY_EXTENSION, name.slice(dot + 1)) : null;
}

const SPOKEN = { shell: "bash", console: "bash", javascript: "javascript", "c++": "cpp", "c#": "csharp", golang: "go", html: "xml", toml: "ini" };

/** The language that a fence of Markdown names. */
export function languageNamed(name) {
  return own(SPOKEN, name) ?? (Object.hasOwn(NEEDS, name) ? name : own(BY_EXTENSION, name));
}
