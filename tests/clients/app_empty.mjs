// APIClient's methods for what messages are composed of. The emulated workspace has none of it, and says so as
// Customer.io would: empty lists, 404 for a thing, 403 for who wants to make one.
import assert from "node:assert/strict";
import { failure } from "./harness.mjs";

const LISTS = ["listTransactionalMessages", "listCampaigns", "listBroadcasts", "listNewsletters", "listCollections",
	"getSnippets", "getSenderIdentities", "listAssets", "listAssetFolders", "listDesignStudioFolders",
	"listDesignStudioEmails", "listDesignStudioComponents"];

const NAMED = { name: "n", value: "v", tag: "t" };
const MAKING = {
	createNewsletter: [NAMED], createDesignStudioFolder: [NAMED], createDesignStudioEmail: [NAMED],
	createDesignStudioComponent: [NAMED], createAssetFolder: [NAMED], createCollection: [NAMED],
	createSnippet: [NAMED], updateSnippet: [NAMED], createAsset: [{ data: "bytes", filename: "a.png" }],
	createImport: [{ data_file_url: "http://127.0.0.1/a.csv", type: "people" }],
	batchUpdateAttributes: [[{ name: "n" }]], batchUpdateEvents: [[{ name: "n" }]],
};

const TIMES = { start: 1, end: 2, res: "days" };
const SEARCHED = {
	getCampaignJourneyMetrics: ["1", TIMES],
	createDesignStudioEmailLanguage: ["1", { language: "de" }],
	...Object.fromEntries(["DesignStudioFolder", "DesignStudioEmail", "DesignStudioComponent", "Asset",
		"AssetFolder", "Collection"].map((name) => [`update${name}`, ["1", {}]])),
	updateDesignStudioEmailLanguage: ["1", "de", {}],
	updateCollectionContent: ["1", [{}]],
	...withArguments(["1"], `getTransactionalMessage getTransactionalMessageContents
		getTransactionalMessageDeliveries getTransactionalMessageMetrics getTransactionalMessageLinkMetrics
		getCampaign getCampaignActions
		getCampaignMetrics getCampaignMetricsLinks getCampaignMessages getBroadcast getBroadcastActions
		getBroadcastMetrics getBroadcastMetricsLinks getBroadcastMessages getBroadcastTriggers getNewsletter
		deleteNewsletter getNewsletterContents getNewsletterMetrics getNewsletterMetricsLinks
		getNewsletterMessages sendNewsletter scheduleNewsletter createNewsletterLanguage getNewsletterTestGroups
		createNewsletterTestGroup
		getDesignStudioFolder deleteDesignStudioFolder getDesignStudioEmail deleteDesignStudioEmail
		listDesignStudioEmailLanguages getDesignStudioComponent deleteDesignStudioComponent getAsset deleteAsset
		getAssetFolder deleteAssetFolder getCollection deleteCollection getCollectionContent deleteSnippet
		getSenderIdentity getSenderIdentityUsedBy getArchivedMessage getImport`),
	...withArguments(["1", "2"], `getTransactionalMessageLanguage updateTransactionalMessageLanguage
		updateTransactionalMessageContent getCampaignAction updateCampaignAction getCampaignActionMetrics
		getCampaignActionMetricsLinks getBroadcastAction updateBroadcastAction getBroadcastActionMetrics
		getBroadcastActionMetricsLinks getNewsletterContent updateNewsletterContent getNewsletterContentMetrics
		getNewsletterContentMetricsLinks getNewsletterLanguage updateNewsletterLanguage deleteNewsletterLanguage
		createNewsletterTestGroupLanguage getDesignStudioEmailLanguage deleteDesignStudioEmailLanguage`),
	...withArguments(["1", "2", "de"], `getCampaignActionLanguage updateCampaignActionLanguage
		getBroadcastActionLanguage updateBroadcastActionLanguage getNewsletterTestGroupLanguage
		updateNewsletterTestGroupLanguage
		deleteNewsletterTestGroupLanguage`),
};

function withArguments(values, names) {
	return Object.fromEntries(names.split(/\s+/).map((name) => [name, values]));
}

const isEmptyList = (name) => async ({ app }) => {
	assert.deepEqual(Object.values(await app[name]())[0], []);
};
const isRefused = (name, values, status, detail) => async ({ app }) => {
	const error = await failure(app[name](...values));
	assert.equal(error.statusCode, status);
	assert.match(JSON.parse(error.body).errors[0].detail, detail);
};

export const emptyCases = Object.fromEntries([
	...LISTS.map((name) => [name, isEmptyList(name)]),
	...Object.entries(MAKING).map(([name, values]) => [name, isRefused(name, values, 403, /composes no messages/)]),
	...Object.entries(SEARCHED).map(([name, values]) => [name, isRefused(name, values, 404, /not found/)]),
]);
