// A button beside each command. Without this script the commands are there all the same, to be selected.
"use strict";
for (const box of document.querySelectorAll(".command[data-copy]")) {
  const code = box.querySelector("code");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  let later;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      // No clipboard, as where the page comes over plain HTTP: what is selected can be copied by key.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    clearTimeout(later);
    later = setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.append(button);
}
