import os
import subprocess
import sys

from flask import Flask

app = Flask(__name__)


@app.route("/")
def page():
    return f"worker {os.getpid()}\n"


@app.route("/child")
def child():
    code = "import os; print(os.getppid())"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return f"{os.getpid()} {output.stdout}"
