"""What customers write to a help desk, in three languages: (trained wordings, held-out wordings) for each thing said.

The held-out wordings are for the split `unseen` alone. Knows sentences, nothing of the rule that reads them.
"""

from __future__ import annotations

Phrases = tuple[tuple[str, ...], tuple[str, ...]]

# language -> queue -> what the ticket is about
TOPICS: dict[str, dict[str, Phrases]] = {
    "en": {
        "billing": (
            (
                "I was charged twice for {item}",
                "the invoice for {item} shows the wrong amount",
                "please refund my payment for {item}",
                "you took the money for {item} although I cancelled",
            ),
            ("the sum on the bill for {item} is too high", "I want my money back for {item}"),
        ),
        "technical": (
            (
                "{item} shows error {code}",
                "{item} crashes at every start",
                "{item} no longer connects, error {code}",
                "{item} has been very slow since the update",
            ),
            ("{item} freezes with message {code}", "nothing happens when I open {item}"),
        ),
        "shipping": (
            (
                "the parcel with {item} has not arrived",
                "{item} was delivered to the wrong address",
                "tracking for {item} has not moved for days",
                "{item} arrived broken",
            ),
            ("the courier never brought {item}", "{item} got lost on the way"),
        ),
        "account": (
            (
                "I can't log in to {item}, my password is refused",
                "please change the e-mail address of my {item} profile",
                "please delete my user for {item}",
                "the two-factor code for {item} never comes",
            ),
            ("I am locked out of {item}", "my {item} sign-in name must be changed"),
        ),
        "sales": (
            (
                "please send me a quote for {item}",
                "what does {item} cost for {count} people",
                "we would like to buy {count} more of {item}",
                "is there a discount on {item}",
            ),
            ("what would be your best price for {item}", "we consider ordering {count} pieces of {item}"),
        ),
    },
    "de": {
        "billing": (
            (
                "{item} wurde mir doppelt berechnet",
                "auf der Rechnung für {item} steht ein falscher Betrag",
                "bitte erstatten Sie mir die Zahlung für {item}",
                "Sie haben für {item} abgebucht, obwohl ich gekündigt habe",
            ),
            ("die Summe für {item} ist zu hoch", "ich will mein Geld für {item} zurück"),
        ),
        "technical": (
            (
                "{item} zeigt Fehler {code}",
                "{item} stürzt bei jedem Start ab",
                "{item} verbindet sich nicht mehr, Fehler {code}",
                "{item} ist seit dem Update sehr langsam",
            ),
            ("{item} friert ein, Meldung {code}", "beim Öffnen von {item} passiert nichts"),
        ),
        "shipping": (
            (
                "das Paket mit {item} ist nicht angekommen",
                "{item} wurde an die falsche Adresse geliefert",
                "die Sendung {item} bewegt sich seit Tagen nicht",
                "{item} kam kaputt an",
            ),
            ("der Bote hat {item} nie gebracht", "{item} ging unterwegs verloren"),
        ),
        "account": (
            (
                "ich kann mich bei {item} nicht anmelden, das Passwort wird abgelehnt",
                "bitte ändern Sie die E-Mail-Adresse in meinem Profil bei {item}",
                "bitte löschen Sie meinen Zugang zu {item}",
                "der Code zur Anmeldung bei {item} kommt nie an",
            ),
            ("ich bin aus {item} ausgesperrt", "mein Benutzername bei {item} muss geändert werden"),
        ),
        "sales": (
            (
                "bitte schicken Sie mir ein Angebot für {item}",
                "was kostet {item} für {count} Personen",
                "wir möchten noch {count} Stück {item} kaufen",
                "gibt es Rabatt auf {item}",
            ),
            ("was wäre Ihr bester Preis für {item}", "wir überlegen, {count} Stück {item} zu bestellen"),
        ),
    },
    "fr": {
        "billing": (
            (
                "{item} m'a été débité deux fois",
                "la facture pour {item} montre un montant faux",
                "merci de rembourser mon paiement pour {item}",
                "vous avez prélevé {item} alors que j'ai résilié",
            ),
            ("la somme pour {item} est trop élevée", "je veux récupérer mon argent pour {item}"),
        ),
        "technical": (
            (
                "{item} affiche l'erreur {code}",
                "{item} plante à chaque démarrage",
                "{item} ne se connecte plus, erreur {code}",
                "{item} est très lent depuis la mise à jour",
            ),
            ("{item} se fige, message {code}", "rien ne se passe quand j'ouvre {item}"),
        ),
        "shipping": (
            (
                "le colis avec {item} n'est pas arrivé",
                "{item} a été livré à la mauvaise adresse",
                "le suivi de {item} ne bouge plus depuis des jours",
                "{item} est arrivé cassé",
            ),
            ("le livreur n'a jamais apporté {item}", "{item} s'est perdu en route"),
        ),
        "account": (
            (
                "je ne peux pas me connecter à {item}, mot de passe refusé",
                "merci de changer l'adresse e-mail de mon profil {item}",
                "merci de supprimer mon accès à {item}",
                "le code de connexion à {item} n'arrive jamais",
            ),
            ("je suis bloqué hors de {item}", "mon identifiant {item} doit être changé"),
        ),
        "sales": (
            (
                "merci de m'envoyer un devis pour {item}",
                "combien coûte {item} pour {count} personnes",
                "nous voulons acheter encore {count} {item}",
                "y a-t-il une remise sur {item}",
            ),
            ("quel serait votre meilleur prix pour {item}", "nous pensons commander {count} {item}"),
        ),
    },
}

# language -> signal -> sentence; what each is worth is in `tickets.SIGNALS`
SIGNALS: dict[str, dict[str, Phrases]] = {
    "en": {
        "everyone_blocked": (
            ("Our whole team is blocked.", "Nobody here can work.", "Production is down."),
            ("All our staff are at a standstill.",),
        ),
        "one_blocked": (
            ("I can't go on with my work.", "This keeps me from working.", "I am stuck."),
            ("I get nothing done because of it.",),
        ),
        "deadline": (
            ("I need this today.", "It must be solved by tonight.", "We have a deadline tomorrow."),
            ("This can't wait until next week.",),
        ),
        "asked_before": (
            ("This is the third time I write.", "Nobody answered my last mail.", "I reported this last week already."),
            ("I have asked several times.",),
        ),
        "no_hurry": (
            ("There is no hurry.", "Whenever you have time.", "It is not important."),
            ("Take your time.",),
        ),
    },
    "de": {
        "everyone_blocked": (
            ("Unser ganzes Team steht still.", "Hier kann niemand arbeiten.", "Die Produktion steht."),
            ("Die gesamte Belegschaft ist lahmgelegt.",),
        ),
        "one_blocked": (
            ("Ich komme mit der Arbeit nicht weiter.", "Das hält mich von der Arbeit ab.", "Ich stecke fest."),
            ("Ich schaffe deswegen nichts.",),
        ),
        "deadline": (
            ("Ich brauche das heute.", "Es muss bis heute Abend gelöst sein.", "Morgen läuft unsere Frist ab."),
            ("Das kann nicht bis nächste Woche warten.",),
        ),
        "asked_before": (
            ("Ich schreibe zum dritten Mal.", "Auf meine letzte Mail kam nichts.", "Das habe ich schon gemeldet."),
            ("Ich habe mehrfach nachgefragt.",),
        ),
        "no_hurry": (
            ("Es eilt nicht.", "Wann immer Sie Zeit haben.", "Es ist nicht wichtig."),
            ("Lassen Sie sich Zeit.",),
        ),
    },
    "fr": {
        "everyone_blocked": (
            ("Toute notre équipe est bloquée.", "Personne ici ne peut travailler.", "La production est arrêtée."),
            ("Tout le personnel est à l'arrêt.",),
        ),
        "one_blocked": (
            ("Je ne peux pas continuer mon travail.", "Cela m'empêche de travailler.", "Je suis coincé."),
            ("Je n'avance plus à cause de cela.",),
        ),
        "deadline": (
            ("Il me le faut aujourd'hui.", "Cela doit être réglé ce soir.", "Notre délai expire demain."),
            ("Cela ne peut pas attendre la semaine prochaine.",),
        ),
        "asked_before": (
            ("C'est la troisième fois que j'écris.", "Mon dernier mail est sans réponse.", "Je l'ai déjà signalé."),
            ("J'ai demandé plusieurs fois.",),
        ),
        "no_hurry": (
            ("Rien ne presse.", "Quand vous aurez le temps.", "Ce n'est pas important."),
            ("Prenez votre temps.",),
        ),
    },
}

# language -> queue -> a remark that another queue's matter is settled; it must not change the answer
REMARKS: dict[str, dict[str, Phrases]] = {
    "en": {
        "billing": (("The payment itself went fine.",), ("Paying was no trouble.",)),
        "technical": (("Apart from that it all runs well.",), ("It does work as it should.",)),
        "shipping": (("The parcel came on time, thanks.",), ("Delivery was quick.",)),
        "account": (("Logging in works again.",), ("My sign-in is fine.",)),
        "sales": (("Thanks for the good offer.",), ("Your price was fair.",)),
    },
    "de": {
        "billing": (("Die Zahlung selbst hat geklappt.",), ("Das Bezahlen war kein Problem.",)),
        "technical": (("Sonst läuft alles gut.",), ("Es funktioniert, wie es soll.",)),
        "shipping": (("Das Paket kam pünktlich, danke.",), ("Die Lieferung ging schnell.",)),
        "account": (("Die Anmeldung geht wieder.",), ("Mein Zugang ist in Ordnung.",)),
        "sales": (("Danke für das gute Angebot.",), ("Ihr Preis war gut.",)),
    },
    "fr": {
        "billing": (("Le paiement s'est bien passé.",), ("Payer n'a posé aucun problème.",)),
        "technical": (("Sinon tout marche bien.",), ("Cela fonctionne comme il faut.",)),
        "shipping": (("Le colis est arrivé à temps, merci.",), ("La livraison fut rapide.",)),
        "account": (("La connexion marche de nouveau.",), ("Mon accès est en ordre.",)),
        "sales": (("Merci pour la bonne offre.",), ("Votre prix était correct.",)),
    },
}

GREETINGS: dict[str, Phrases] = {
    "en": (("Hello,", "Hi,", "Good morning,", ""), ("Dear all,",)),
    "de": (("Hallo,", "Guten Tag,", "Guten Morgen,", ""), ("Liebes Team,",)),
    "fr": (("Bonjour,", "Salut,", "Bonsoir,", ""), ("Chère équipe,",)),
}
