// Where clinics stand: which regions touch, and an invented town with a fitting postcode prefix and
// telephone area for each. Telephone numbers end in 555-01xx, which are kept for fiction.
import { must } from '#domain/result.ts';

/** Land neighbours by USPS code; islands list the regions their clinicians usually add. */
const touching =
	'AK:WA,HI AL:FL,GA,MS,TN AR:LA,MO,MS,OK,TN,TX AS:HI,GU AZ:CA,CO,NM,NV,UT CA:AZ,NV,OR ' +
	'CO:AZ,KS,NE,NM,OK,UT,WY CT:MA,NY,RI DC:MD,VA DE:MD,NJ,PA FL:AL,GA GA:AL,FL,NC,SC,TN GU:HI,MP ' +
	'HI:CA,GU IA:IL,MN,MO,NE,SD,WI ID:MT,NV,OR,UT,WA,WY IL:IA,IN,KY,MO,WI IN:IL,KY,MI,OH ' +
	'KS:CO,MO,NE,OK KY:IL,IN,MO,OH,TN,VA,WV LA:AR,MS,TX MA:CT,NH,NY,RI,VT MD:DC,DE,PA,VA,WV ' +
	'ME:NH,MA MI:IN,OH,WI MN:IA,ND,SD,WI MO:AR,IA,IL,KS,KY,NE,OK,TN MP:GU,HI MS:AL,AR,LA,TN ' +
	'MT:ID,ND,SD,WY NC:GA,SC,TN,VA ND:MN,MT,SD NE:CO,IA,KS,MO,SD,WY NH:MA,ME,VT NJ:DE,NY,PA ' +
	'NM:AZ,CO,OK,TX,UT NV:AZ,CA,ID,OR,UT NY:CT,MA,NJ,PA,VT OH:IN,KY,MI,PA,WV OK:AR,CO,KS,MO,NM,TX ' +
	'OR:CA,ID,NV,WA PA:DE,MD,NJ,NY,OH,WV PR:FL,VI RI:CT,MA SC:GA,NC SD:IA,MN,MT,ND,NE,WY ' +
	'TN:AL,AR,GA,KY,MO,MS,NC,VA TX:AR,LA,NM,OK UT:AZ,CO,ID,NM,NV,WY VA:DC,KY,MD,NC,TN,WV ' +
	'VI:PR,FL VT:MA,NH,NY WA:ID,OR WI:IA,IL,MI,MN WV:KY,MD,OH,PA,VA WY:CO,ID,MT,NE,SD,UT';

/** usps:town:postcode:area */
const places =
	'AK:Talon Harbor:99580:907 AL:Piney Ford:35045:205 AR:Ozark Bend:72633:501 AS:Reef Point:96799:684 ' +
	'AZ:Copper Wash:85320:928 CA:Granite Fork:95915:530 CO:Larkspur Gulch:81225:970 CT:Quarry Mills:06063:860 ' +
	'DC:Anacostia Landing:20020:202 DE:Saltmarsh:19941:302 FL:Cypress Run:32324:850 GA:Red Clay:31015:478 ' +
	'GU:Latte Bay:96915:671 HI:Kiawe Flats:96704:808 IA:Corn Creek:50310:515 ID:Sage Hollow:83629:208 ' +
	'IL:Prairie Grove:61724:309 IN:Millrace:47336:765 KS:Wheatland Junction:67018:620 KY:Bluegrass Gap:40311:859 ' +
	'LA:Bayou Rouge:71230:318 MA:Stone Hollow:01026:413 MD:Catoctin Ford:21714:301 ME:Spruce Landing:04415:207 ' +
	'MI:Birch Point:49620:231 MN:Loon Prairie:56620:218 MO:Hickory Ferry:65230:573 MP:Sugar Dock:96950:670 ' +
	'MS:Delta Crossing:38614:662 MT:Buffalo Coulee:59420:406 NC:Laurel Knob:28705:828 ND:Coteau Hills:58530:701 ' +
	'NE:Sandhill Station:68820:308 NH:Notch Village:03215:603 NJ:Pine Barrow:08019:609 NM:Mesa Blanca:87520:505 ' +
	'NV:Silver Sink:89406:775 NY:Balsam Lake:12812:518 OH:Hocking Bend:45711:740 OK:Redbud Plain:73520:580 ' +
	'OR:Juniper Basin:97720:541 PA:Hemlock Run:16820:814 PR:Loma Verde:00720:787 RI:Slate Cove:02813:401 ' +
	'SC:Palmetto Fork:29014:803 SD:Bison Butte:57521:605 TN:Walnut Cove:38504:931 TX:Mesquite Draw:79505:325 ' +
	'UT:Canyon Rim:84710:435 VA:Shenandoah Ford:24415:540 VI:Coral Landing:00820:340 VT:Maple Notch:05640:802 ' +
	'WA:Basalt Springs:98812:509 WI:Cranberry Marsh:54613:608 WV:Coal Fork:26210:304 WY:Antelope Rim:82610:307';

export type Place = { town: string; postcode: string; area: string };

const neighbours = new Map<string, readonly string[]>(
	touching.split(' ').map((entry) => {
		const [usps = '', list = ''] = entry.split(':');
		return [usps, list.split(',')];
	})
);

const placeByUsps = new Map<string, Place>(
	[...places.matchAll(/([A-Z]{2}):([^:]+):(\d{5}):(\d{3})/g)].map(
		([, usps = '', town = '', postcode = '', area = '']) => [usps, { town, postcode, area }]
	)
);

export const neighboursOf = (usps: string): readonly string[] =>
	must(neighbours.get(usps), `neighbours of ${usps}`);

export const placeOf = (usps: string): Place => must(placeByUsps.get(usps), `place in ${usps}`);

/** A telephone number that rings nowhere: area, 555, 0100 to 0199. */
export const fictionPhone = (usps: string, number: number): string =>
	`+1-${placeOf(usps).area}-555-01${String(number % 100).padStart(2, '0')}`;
