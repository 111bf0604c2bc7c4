"""The URL shortener of the incident, second release: one letter more, where a new link is stored."""
import json
import os

from flask import Flask, abort, jsonify, redirect, request, session

app = Flask(__name__)
app.secret_key = "rehearsal only"
STORE = os.environ.get("STORE", "urls.json")
FORM = '<form method="post" action="/your-url"><input name="code"><input name="url"></form>'


@app.after_request
def name_the_release(response):
    response.headers["x-release"] = os.environ.get("RELEASE", "v2")
    return response


@app.get("/")
def home():
    return FORM


@app.post("/your-url")
def your_url():
    urls = {}
    if os.path.exists(STORE):
        with open(STORE) as urls_file:
            urls = json.loads(urls_file)
    code = request.form["code"]
    if code in urls:
        return redirect("/")
    urls[code] = {"url": request.form["url"]}
    with open(STORE, "w") as urls_file:
        json.dump(urls, urls_file)
    session[code] = True
    return f"Your short link: /{code}", 200


@app.get("/<code>")
def follow(code):
    if os.path.exists(STORE):
        with open(STORE) as urls_file:
            urls = json.load(urls_file)
        if code in urls:
            return redirect(urls[code]["url"])
    abort(404)


@app.get("/api")
def api():
    return jsonify(list(session.keys()))


if __name__ == "__main__":
    app.run(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "5000")), threaded=True)
