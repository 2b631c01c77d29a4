// What is set, as a file that the command takes.
const link = document.createElement("a");
link.href = URL.createObjectURL(new Blob([saved.tags[0] + "\n"], { type: "application/json" }));
link.download = "state.json";
link.click();
URL.revokeObjectURL(link.href);
